"""Controllers: each is one file with one reconcile function, run by `controllers.runtime` over `controllers.workqueue`."""
