"""From resolved options to the parts of a manifest, and at last to the manifest: what is wrong is collected and told together."""
