"""What runs containers: one implementation of `base.Runtime` a file or folder."""
