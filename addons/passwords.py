"""Where the admin takes a password: the login, and the change of one. Who tries too often waits, as at the dashboard."""

from __future__ import annotations

from typing import Any, TypeVar

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy

from dashboard import acts, attempts
from dashboard.login import MAX_NAME, of_account
from dashboard.metrics import LOGINS

Answer = TypeVar("Answer", bound=HttpResponse)


class LoginForm(AdminAuthenticationForm):
    """Django's, which judges no password while its account and address have to wait: then `wait` is for how long, seconds."""

    wait = 0

    def clean(self) -> dict[str, Any]:
        assert self.request is not None
        if not {"username", "password"} <= self.cleaned_data.keys():
            return self.cleaned_data  # what is missing is said at its field; nothing was tried, so nothing counts
        name, address = str(self.cleaned_data.get("username") or "")[:MAX_NAME], attempts.address_of(self.request)
        self.wait = attempts.begin(name, address)
        account = name if attempts.known(name) else ""
        if self.wait:
            LOGINS.add("refused")
            acts.refused(self.request, 429, account)
            raise _too_many(self.wait)
        try:
            found: dict[str, Any] = super().clean()
        except forms.ValidationError:
            LOGINS.add("failed")
            acts.refused(self.request, 401, account)
            raise
        attempts.succeeded(name, address)
        LOGINS.add("ok")
        acts.tell(self.request, acts.LOGIN, 302, of_account(self.user_cache))
        return found


class PasswordForm(AdminPasswordChangeForm):
    """Django's, with the old password judged as one that logs in: who found an open page may not guess it."""

    wait = 0

    def __init__(self, *args: Any, request: HttpRequest, **options: Any) -> None:
        super().__init__(*args, **options)
        self.request = request

    def clean_old_password(self) -> str:
        name, address = self.user.get_username(), attempts.address_of(self.request)
        self.wait = attempts.begin(name, address)
        if self.wait:
            acts.tell(self.request, acts.UPDATE, 429, of_account(self.user))
            raise _too_many(self.wait)
        try:
            found = super().clean_old_password()
        except forms.ValidationError:
            acts.tell(self.request, acts.UPDATE, 401, of_account(self.user))
            raise
        attempts.succeeded(name, address)
        return str(found)


class PasswordView(PasswordChangeView):
    form_class = PasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        acts.tell(self.request, acts.UPDATE, response.status_code, of_account(form.user))
        return response


def with_wait(response: Answer) -> Answer:
    """The page of one of these forms; who has to wait is told so by its status too."""
    form = (getattr(response, "context_data", None) or {}).get("form")  # a redirect has none
    if isinstance(form, (LoginForm, PasswordForm)) and form.wait:
        response.status_code = 429
        response["Retry-After"] = str(form.wait)
    return response


def _too_many(wait: int) -> forms.ValidationError:
    return forms.ValidationError(attempts.sentence(wait), code="wait")
