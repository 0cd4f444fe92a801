"""Asking containers whether they live, are ready and have started: one way of asking a file, and who asks when."""
