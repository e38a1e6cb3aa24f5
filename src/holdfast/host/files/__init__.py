"""Files: what is at a path, how it becomes something else without a link leading out of the root, and how it comes back."""
