"""PersistentVolumes and their claims: static binding, release, and protection while in use."""
