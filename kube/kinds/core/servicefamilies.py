"""Address families of Services: what `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` say together, and what is filled in.

The cluster has one family. Two may stand only in a headless Service without a selector, whose endpoints are not ours.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from kube.errors import FieldError, duplicate, invalid, required
from kube.ipaddresses import ip_address, ip_of
from kube.objects import Json
from kube.registry import Context
from kube.validation import check_choice, check_kept, repeats

FAMILIES = ("IPv4", "IPv6")
POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_IPS, _FAMILIES, _POLICY = "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"
_TOO_MANY = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
_RELEASED = "must be 'SingleStack' to release the secondary {}"


@lru_cache(maxsize=8)
def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A network of the settings."""
    return ipaddress.ip_network(text)


def family(ctx: Context) -> str:
    """The address family of the cluster's Services."""
    return f"IPv{network(ctx.settings.service_cidr).version}"


def is_headless(spec: Json) -> bool:
    """Whether a Service has no address of its own, because the user said so."""
    return bool(spec.get("clusterIPs") == ["None"])


def is_unselected(spec: Json) -> bool:
    """Whether a Service is headless and leaves its endpoints to somebody else."""
    return spec.get("clusterIP") == "None" and not spec.get("selector")


def check_addresses(spec: Json, old: Json) -> list[FieldError]:
    """What the three fields say, each by itself and together; `old` is the spec before, empty for a new Service."""
    if spec["type"] == "ExternalName":  # which has none of them
        return []
    errors = _check_first(spec)
    families, addresses = spec.get("ipFamilies") or [], spec.get("clusterIPs") or []
    for i, name in enumerate(families):
        errors += check_choice(f"{_FAMILIES}[{i}]", name, FAMILIES)
    errors += [duplicate(f"{_FAMILIES}[{i}]", families[i]) for i in repeats(families)]
    if spec.get("ipFamilyPolicy") is not None:
        errors += check_choice(_POLICY, spec["ipFamilyPolicy"], POLICIES)
    wrong = _check_each(addresses, old.get("clusterIPs") or [])
    if len(addresses) > 2:
        errors.append(invalid(_IPS, addresses, "may only hold up to 2 values"))
    return errors + (wrong or _check_families_of(addresses, families))


def _check_first(spec: Json) -> list[FieldError]:
    first, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if first and not addresses:
        return [required(_IPS)]
    if first and addresses[0] != first:
        return [invalid(_IPS, addresses, "first value must match `clusterIP`")]
    if addresses and not first:
        return [invalid(_IPS, addresses, "must be empty when `clusterIP` is not specified")]
    return []


def _check_each(addresses: list[str], before: list[str]) -> list[FieldError]:
    if addresses[:1] == ["None"]:
        if len(addresses) == 1:
            return []
        alone = invalid(_IPS, addresses, "'None' must be the first and only value")
        return [alone, *check_kept(_IPS, addresses, before, ip_address, first=1)]
    return check_kept(_IPS, addresses, before, ip_address)


def _check_families_of(addresses: list[str], families: list[str]) -> list[FieldError]:
    found = [family_of(address) for address in addresses if address != "None"]
    errors: list[FieldError] = []
    if len(addresses) > 1 and set(found) != set(FAMILIES):
        errors.append(invalid(_IPS, addresses, "may specify no more than one IP for each IP family"))
    for i, (address, its, wanted) in enumerate(zip(addresses, found, families, strict=False)):
        if wanted in FAMILIES and its != wanted:
            errors.append(
                invalid(f"{_IPS}[{i}]", address, f"expected an {wanted} value as indicated by `ipFamilies[{i}]`")
            )
    return errors


def family_of(address: str) -> str:
    """The family of a valid address."""
    parsed = ip_of(address)
    return f"IPv{parsed.version}" if parsed else ""


def settle(spec: Json, old: Json, ctx: Context) -> list[FieldError]:
    """Fill in policy and families, or say why they cannot be had; nothing else is told of a Service then."""
    if _is_settled(spec, old):
        return []
    if spec.get("ipFamilyPolicy") is None:
        default = "RequireDualStack" if is_unselected(spec) else "SingleStack"
        spec["ipFamilyPolicy"] = old.get("ipFamilyPolicy") or default
    if errors := check_addresses(spec, old):
        return errors
    errors = _check_single(spec, old) + _infer_families(spec, ctx)
    if errors:
        return errors
    own = family(ctx)
    families: list[str] = spec.get("ipFamilies") or [own]
    if is_unselected(spec):
        if len(families) < 2 and spec["ipFamilyPolicy"] != "SingleStack":
            families = [*families, *(name for name in FAMILIES if name not in families)]
    else:
        errors = _check_configured(spec, families, own)
    spec["ipFamilies"] = families
    return errors


def _is_settled(spec: Json, old: Json) -> bool:
    same = all(spec.get(name) == old.get(name) for name in ("type", "clusterIPs", "clusterIP", "ipFamilies"))
    return same and spec.get("ipFamilyPolicy") == old.get("ipFamilyPolicy", "PreferDualStack") == "PreferDualStack"


def _check_single(spec: Json, old: Json) -> list[FieldError]:
    """A single stack is cut to its first entry where only the policy was changed; it cannot be given two."""
    errors: list[FieldError] = []
    policy = spec["ipFamilyPolicy"]
    for name, one, several in (
        ("clusterIPs", "cluster IP", "cluster IPs"),
        ("ipFamilies", "IP family", "IP families"),
    ):
        values, before = spec.get(name) or [], old.get(name) or []
        if policy == "SingleStack" and old and values == before:
            spec[name] = values[:1]
        elif policy == "SingleStack" and len(values) == 2:
            errors.append(invalid(_POLICY, policy, _TOO_MANY.format(several)))
        elif policy != "SingleStack" and 0 < len(values) < len(before):
            errors.append(invalid(_POLICY, policy, _RELEASED.format(one)))
    return errors


def _infer_families(spec: Json, ctx: Context) -> list[FieldError]:
    """An address without a family beside it brings its own."""
    families, addresses = list(spec.get("ipFamilies") or ()), spec.get("clusterIPs") or []
    errors: list[FieldError] = []
    for i, address in enumerate(addresses):
        if address == "None" or i < len(families):
            continue
        if (found := family_of(address)) == family(ctx):
            families.append(found)
        else:
            errors.append(invalid(f"{_IPS}[{i}]", addresses, f"{found} is not configured on this cluster"))
    spec["ipFamilies"] = families
    return errors


def _check_configured(spec: Json, families: list[str], own: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if spec["ipFamilyPolicy"] == "RequireDualStack":
        message = "this cluster is not configured for dual-stack services"
        errors.append(invalid(_POLICY, spec["ipFamilyPolicy"], message))
    return errors + [
        invalid(f"{_FAMILIES}[{i}]", name, "not configured on this cluster")
        for i, name in enumerate(families)
        if name != own
    ]
