#!/bin/sh
# Make this machine one that System Manager looks after: its files, a service, a backup, and its state file of version 1.
set -e
stored=/nix/store/zfmhlpwkmgn0h6v8cbw4y0ljrl5qp3kd-etc
mkdir -p $stored /var/lib/system-manager/state /etc/systemd/system/system-manager.target.wants
printf '[Service]\nExecStart=/usr/bin/python3 -m http.server 8080 --bind 127.0.0.1\n' >$stored/hello.service
printf 'greeting = "hello"\n' >$stored/hello.toml
printf 'from System Manager\n' >$stored/motd
printf '[Unit]\nDescription=what System Manager wants\n' >$stored/system-manager.target
cd /etc
mv motd motd.system-manager-backup
ln -s $stored/motd motd
ln -s $stored/hello.toml hello.toml
cp $stored/hello.toml copied.toml
chmod 0640 copied.toml
cd /etc/systemd/system
ln -s $stored/hello.service hello.service
ln -s $stored/system-manager.target system-manager.target
ln -s ../hello.service system-manager.target.wants/hello.service
mkdir -p default.target.wants
ln -s ../system-manager.target default.target.wants/system-manager.target
cat >/var/lib/system-manager/state/system-manager-state.json <<END
{
  "fileTree": {
    "files": [
      "/etc/copied.toml",
      "/etc/hello.toml",
      "/etc/systemd/system/default.target.wants/system-manager.target",
      "/etc/systemd/system/hello.service",
      "/etc/systemd/system/system-manager.target",
      "/etc/systemd/system/system-manager.target.wants/hello.service"
    ],
    "backedUpFiles": ["/etc/motd"]
  },
  "services": {"hello.service": {"storePath": "$stored/hello.service", "masked": false}},
  "version": 1
}
END
systemctl daemon-reload
systemctl start system-manager.target
