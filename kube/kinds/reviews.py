"""Review kinds of authentication.k8s.io and authorization.k8s.io: asked, answered, never stored.

The API server answers them; here is only what discovery and validation of types need to know.
"""

from __future__ import annotations

from kube.registry import Kind, register

AUTHENTICATION, AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"


def _review(group: str, kind: str, plural: str, namespaced: bool = False) -> Kind:
    package = group.partition(".")[0]
    return Kind(
        group,
        "v1",
        kind,
        plural,
        namespaced=namespaced,
        verbs=("create",),
        definition=f"io.k8s.api.{package}.v1.{kind}",
    )


register(
    _review(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews"),
    _review(AUTHENTICATION, "TokenReview", "tokenreviews"),
    _review(AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews", namespaced=True),
    _review(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    _review(AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    _review(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews"),
)
