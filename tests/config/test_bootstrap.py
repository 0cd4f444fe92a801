"""The keys of an installation, as `make up` finds or makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import keyring
from cluster.store import Store
from config import bootstrap, installation
from config.preflight import Refused, check_folder
from tests.cluster.test_keys import of_before, value


def test_a_new_installation_gets_a_key(tmp_path: Path) -> None:
    var = tmp_path / "var"
    check_folder(var)
    at = installation.load(var, 8080, 6443)
    bootstrap.prepare_keys(at)
    made = keyring.of(var).newest()
    bootstrap.prepare_keys(at)
    assert keyring.of(var).all() == [made]
    assert made.path.parent == var / "keys" and made.path.stat().st_mode & 0o777 == 0o600


def test_an_installation_whose_keys_are_elsewhere_gets_no_others(tmp_path: Path) -> None:
    var = tmp_path / "var"
    check_folder(var)
    at = installation.load(var, 8080, 6443)
    (var / "migrated").write_text("")  # it has been started before
    with pytest.raises(Refused, match=r"the encryption keys of .* are not in .*/var/keys: set BINNACLE_KEYS as before"):
        bootstrap.prepare_keys(at)
    assert not list((var / "keys").iterdir())


def test_the_first_start_after_an_update_binds_the_values_of_before(store: Store, var: Path) -> None:
    of_before(store, "a")
    at = installation.load(var, 8080, 6443)
    bootstrap.bind_values(at)
    assert not (var / "pki" / "encryption.key").exists()
    assert bytes(store.database.value("SELECT body FROM cluster_change")).startswith(b"\x02")
    assert value(store, "a") == "b2xk"
