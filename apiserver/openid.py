"""How others check tokens of service accounts: the issuer's OpenID configuration, and its keys as a JSON Web Key Set."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import orjson

from apiserver import response
from apiserver.request import Request
from apiserver.response import Answer, Response

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"
MAX_AGE = [(b"cache-control", b"public, max-age=3600")]


async def configuration(request: Request) -> Answer:
    """Who issues, and where the keys are. Not found where the issuer is no https URL: OpenID knows no others."""
    authenticator = request.state.authenticator
    settings, issuer = authenticator.settings, authenticator.settings.issuers[0]
    if not _described(issuer):
        return response.page_not_found()
    return _document(
        {
            "issuer": issuer,
            "jwks_uri": settings.jwks_uri,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted(
                {key.algorithm for key in authenticator.signer.verifying.values()}
            ),
        },
        "application/json",
    )


async def keys(request: Request) -> Answer:
    """Every key that verifies tokens of this issuer."""
    authenticator = request.state.authenticator
    if not _described(authenticator.settings.issuers[0]):
        return response.page_not_found()
    known = authenticator.signer.verifying.values()
    return _document({"keys": [key.jwk() for key in known]}, "application/jwk-set+json")


def _described(issuer: str) -> bool:
    url = urlsplit(issuer)
    return url.scheme == "https" and not url.query and not url.fragment


def _document(content: dict[str, Any], kind: str) -> Response:
    return Response(orjson.dumps(content), 200, kind, list(MAX_AGE))
