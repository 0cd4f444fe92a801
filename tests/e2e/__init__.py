"""The whole story with real processes and the real kubectl."""
