"""Django over a state folder of the test's own; see the dashboard's fixture of the same name."""

from tests.dashboard.conftest import pages

__all__ = ["pages"]
