"""`python -m apiserver`: serve the Kubernetes API over HTTPS."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import environment
from telemetry import logs

if TYPE_CHECKING:
    from apiserver.authn.logins import Options as Logins
    from apiserver.authn.serviceaccounts import Settings


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="apiserver", description=__doc__)
    parser.add_argument("--port", type=int, default=6443)
    parser.add_argument("--address", default="127.0.0.1", help="addresses to listen on, separated by commas")
    parser.add_argument("--var", type=Path, default=environment.VAR.get(), help="the state folder")
    parser.add_argument(
        "--standalone",
        type=Path,
        metavar="DIR",
        help="prepare DIR (keys, token, tables) and serve from it, with nothing else running",
    )
    parser.add_argument("--insecure-http", action="store_true", help="plain HTTP on loopback, for tests")
    parser.add_argument("--enable-admission-plugins", default="", help="names separated by commas")
    parser.add_argument("--disable-admission-plugins", default="", help="names separated by commas")
    parser.add_argument(
        "--admission-control-config-file", type=Path, metavar="FILE", help="a file of kind AdmissionConfiguration"
    )
    parser.add_argument(
        "--audit-policy-file", type=Path, metavar="FILE", help="a Policy of audit.k8s.io/v1; without, no audit log"
    )
    parser.add_argument("--audit-log-path", metavar="FILE", help="where the audit log goes; -: standard output")
    parser.add_argument("--audit-log-maxsize", type=float, default=0, help="MiB of a file before it is rotated; 0: 100")
    parser.add_argument("--audit-log-maxage", type=float, default=0, help="days that rotated files are kept; 0: any")
    parser.add_argument("--audit-log-maxbackup", type=int, default=0, help="rotated files that are kept; 0: all")
    _account_options(parser)
    _login_options(parser)
    parser.add_argument(
        "--authorization-config",
        type=Path,
        default=environment.AUTHORIZATION_CONFIG.get(),
        metavar="FILE",
        help="a file of kind AuthorizationConfiguration, with webhooks perhaps, which is read again when it changes",
    )
    return parser


def _account_options(parser: argparse.ArgumentParser) -> None:
    accounts = parser.add_argument_group("tokens of service accounts")
    accounts.add_argument(
        "--service-account-issuer",
        action="append",
        metavar="URL",
        help="who issues tokens, and is their `iss`; further ones are accepted still",
    )
    accounts.add_argument(
        "--service-account-key-file",
        action="append",
        type=Path,
        metavar="FILE",
        help="keys that verify tokens, beside the one that signs; without, every sa*.pub beside it",
    )
    accounts.add_argument("--service-account-jwks-uri", metavar="URL", help="where others find the keys, if not here")
    accounts.add_argument("--api-audiences", default="", help="audiences of this API, by commas; without, the issuers")
    accounts.add_argument(
        "--service-account-max-token-expiration", type=int, default=0, metavar="SECONDS", help="0: no bound"
    )
    accounts.add_argument(
        "--service-account-extend-token-expiration",
        type=_flag,
        default=True,
        metavar="BOOL",
        help="tokens in pods' own volumes are good for a year, and only warned of after the hour that they ask for",
    )


def _login_options(parser: argparse.ArgumentParser) -> None:
    oidc = parser.add_argument_group("users by tokens of an issuer (OpenID Connect)")
    oidc.add_argument(
        "--authentication-config",
        type=Path,
        metavar="FILE",
        help="a file of kind AuthenticationConfiguration, which is read again when it changes; instead of --oidc-…",
    )
    oidc.add_argument("--anonymous-auth", type=_flag, metavar="BOOL", help="whether one may ask without credentials")
    oidc.add_argument("--oidc-issuer-url", metavar="URL", help="who issues the tokens: https")
    oidc.add_argument("--oidc-client-id", metavar="ID", help="for whom: their audience")
    oidc.add_argument("--oidc-ca-file", type=Path, metavar="FILE", help="the authority of the issuer's certificate")
    oidc.add_argument("--oidc-username-claim", metavar="CLAIM", help="without, sub")
    oidc.add_argument(
        "--oidc-username-prefix", metavar="TEXT", help="-: none; without, the issuer and #, but for email"
    )
    oidc.add_argument("--oidc-groups-claim", metavar="CLAIM")
    oidc.add_argument("--oidc-groups-prefix", metavar="TEXT")
    oidc.add_argument("--oidc-signing-algs", type=names, metavar="NAMES", help="without, RS256")
    oidc.add_argument("--oidc-required-claim", action="append", metavar="CLAIM=VALUE")


def _flag(text: str) -> bool:
    return text.lower() not in ("false", "0", "f")


def login_options(options: argparse.Namespace) -> Logins:
    """What the options say of tokens of users."""
    from apiserver.authn.logins import Options as Logins

    given = {name.removeprefix("oidc_"): value for name, value in vars(options).items() if name.startswith("oidc_")}
    if not given["issuer_url"] and any(given.values()):
        raise ValueError("--oidc-issuer-url and --oidc-client-id must be specified together")
    file = options.authentication_config or environment.AUTHENTICATION_CONFIG.get()
    return Logins(file, given if given["issuer_url"] else None, options.anonymous_auth)


def account_settings(options: argparse.Namespace) -> Settings:
    """What the options say of tokens of service accounts, the environment where they say nothing."""
    from apiserver.authn.serviceaccounts import Settings

    issuers = options.service_account_issuer or environment.SERVICE_ACCOUNT_ISSUER.get()
    return Settings(
        issuers=tuple(issuers) or Settings().issuers,
        audiences=names(options.api_audiences),
        key_files=tuple(options.service_account_key_file or ()),
        jwks_uri=options.service_account_jwks_uri or "",
        max_seconds=options.service_account_max_token_expiration,
        extend=options.service_account_extend_token_expiration,
    )


def names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def main() -> int:
    options = arguments().parse_args()
    logs.set_up()
    var = (options.standalone or options.var).resolve()
    environment.VAR.put(str(var))
    if options.standalone:
        from apiserver.standalone import prepare

        prepare(var)
    from apiserver.server import AuditOptions, Options, serve

    try:
        serve(
            Options(
                var,
                options.port,
                names(options.address),
                options.insecure_http,
                names(options.enable_admission_plugins),
                names(options.disable_admission_plugins),
                options.admission_control_config_file,
                AuditOptions(
                    options.audit_policy_file,
                    options.audit_log_path or "",
                    options.audit_log_maxsize,
                    options.audit_log_maxage,
                    options.audit_log_maxbackup,
                ),
                account_settings(options),
                login_options(options),
                options.authorization_config,
            )
        )
    except (OSError, ValueError) as error:
        print(f"apiserver: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
