"""The read-only admin of the store: objects by kind, namespace and name, and the log of their changes.

Who may look has the permission `cluster.view_object`; it opens all clusters and namespaces. What is shown has gone through
`kube.redact`, as on the dashboard. There is no address that takes anything but GET and HEAD, and no field of a row can
be asked for but by the filters here: a body that is redacted cannot be guessed by searching in it.

Every query is bounded by an index: objects are listed in the order of their key, changes by revision, `WINDOW` at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db import connections
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.views.decorators.http import require_safe

from cluster.changes import TYPES, Key
from cluster.models import Change, Cluster, Object
from cluster.store import Store
from kube import registry
from kube.redact.objects import redact

VIEW = "cluster.view_object"
MOST = 20_000  # rows of a list that its pages reach; beyond, one narrows it down
WINDOW = 10_000  # revisions of the log that one list of changes looks through
HISTORY = 20  # changes on an object's page
NAMESPACES = 500  # in the filter


def moment(seconds: float) -> str:
    """Epoch seconds as `2026-01-02 03:04:05`, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def cluster_of(request: HttpRequest) -> int:
    """The number of the cluster that is looked at: `?cluster=`, else the one that runs here."""
    asked = request.GET.get("cluster", "")
    return int(asked) if asked.isdecimal() and len(asked) < 10 else 1


def kind_name(row: Object | Change) -> str:
    """`Deployment`; of a custom kind its storage, `backups.example.com`."""
    found = registry.of_cluster(row.cluster_id).by_storage(row.storage)
    return found.kind if found else row.storage


class Pages(Paginator):  # type: ignore[type-arg] # subscriptable in the types only, as Page and ModelAdmin
    """Counts no further than it pages; passes over earlier pages in the index of keys, without their rows."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list[:MOST].count()

    def page(self, number: int | str) -> Page[Any]:
        found = super().page(number)
        rows: Any = found.object_list
        keys = list(rows.values_list("pk", flat=True))
        found.object_list = self.object_list.filter(pk__in=keys)
        return found


class ScopeFilter(admin.SimpleListFilter):
    """Shows a choice that the list has made already (see `get_queryset`): Django drops a filter with nothing to choose."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset


class ClusterFilter(ScopeFilter):
    """Which cluster, where there are several."""

    title, parameter_name = "cluster", "cluster"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = [(str(number), name) for number, name in Cluster.objects.order_by("id").values_list("id", "name")]
        return found if len(found) > 1 else []

    def choices(self, changelist: Any) -> Iterator[Any]:
        chosen = self.value() or "1"
        for number, name in self.lookup_choices:
            link = changelist.get_query_string({self.parameter_name: number})
            yield {"selected": number == chosen, "query_string": link, "display": name}


class RevisionFilter(ScopeFilter):
    """Which part of the log: the `WINDOW` revisions up to one, the newest by default."""

    title, parameter_name = "revisions", "until"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = newest_revision()
        older = (newest - WINDOW * n for n in range(1, 11))
        return [(str(until), f"up to {until}") for until in older if until > 0]


class TextFilter(admin.SimpleListFilter):
    def value(self) -> str:
        return str(super().value() or "").replace("\0", "")  # which PostgreSQL would refuse


class KindFilter(TextFilter):
    """By storage; offers those that the cluster has objects of."""

    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        cluster = cluster_of(request)
        # From one storage to the next in the index of keys: DISTINCT would read all of it.
        sql = (
            "WITH RECURSIVE s(storage) AS (SELECT min(storage) FROM cluster_object WHERE cluster_id = %s UNION ALL SELECT"
            " (SELECT min(storage) FROM cluster_object WHERE cluster_id = %s AND storage > s.storage) FROM s"
            " WHERE s.storage IS NOT NULL) SELECT storage FROM s WHERE storage IS NOT NULL"
        )
        with connections["default"].cursor() as cursor:
            cursor.execute(sql, [cluster, cluster])
            rows = [Object(cluster_id=cluster, storage=storage) for (storage,) in cursor.fetchall()]
        return sorted(((row.storage, kind_name(row)) for row in rows), key=lambda pair: pair[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(storage=self.value()) if self.value() else queryset


class NamespaceFilter(TextFilter):
    title, parameter_name = "namespace", "namespace"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = Object.objects.filter(cluster=cluster_of(request), storage="namespaces", namespace="").order_by("name")
        return [("-", "of no namespace"), *((name, name) for name in found.values_list("name", flat=True)[:NAMESPACES])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(namespace="" if chosen == "-" else chosen) if chosen else queryset


def newest_revision() -> int:
    found: int | None = Change.objects.aggregate(Max("revision"))["revision__max"]
    return found or 0


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list and a page a row, for who has the permission; nothing that writes has an address."""

    actions = None
    list_per_page = 100
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they would count without a bound
    sortable_by = ()
    search_fields = ("name",)
    paginator = Pages
    change_list_template = "cluster/list.html"
    most, window = MOST, 0  # for the template

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        list_view, page = require_safe(self.changelist_view), require_safe(self.page)
        return [
            path("", self.admin_site.admin_view(list_view), name=f"{name}_changelist"),
            path("<int:number>/", self.admin_site.admin_view(page), name=f"{name}_change"),
        ]

    def state(self, number: int) -> tuple[Change, Object | None]:
        """The state behind a row's page, and the object if it exists; raises Http404."""
        raise NotImplementedError

    def page(self, request: HttpRequest, number: int) -> HttpResponse:
        """One state of an object, redacted, and the newest changes of the object."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        state, found = self.state(number)
        kind, key = kind_name(state), Key(state.storage, state.namespace, state.name)
        request.current_app = self.admin_site.name
        return render(
            request,
            "cluster/object.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": f"{kind} {key.namespace}/{key.name}" if key.namespace else f"{kind} {key.name}",
                "state": state,
                "type": TYPES[state.type],
                "at": moment(state.at),
                "object": found,
                "document": orjson.dumps(redact(key.storage, state.document), option=orjson.OPT_INDENT_2).decode(),
                "changes": [
                    (change.revision, change.type, moment(change.at))
                    for change in Store.of(state.cluster_id).history(key, HISTORY)
                ],
            },
        )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(VIEW)

    has_module_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only the filters' own: else `?body__contains=` would tell what `redact` hides."""
        return any(lookup == getattr(one, "parameter_name", None) for one in self.list_filter)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.lower().split()[:5]:
            queryset = queryset.filter(name__contains=word)
        return queryset, False

    @admin.display(description="kind")
    def kind(self, row: Object | Change) -> str:
        return kind_name(row)


class ObjectAdmin(ReadOnly):
    list_display = ("kind", "namespace", "name", "changed", "revision")
    list_display_links = ("name",)
    list_filter = (ClusterFilter, KindFilter, NamespaceFilter)
    # The order of the index; `cluster_id`, as `cluster` would be the order of another table.
    ordering = ("cluster_id", "storage", "namespace", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Object]:
        return super().get_queryset(request).filter(cluster=cluster_of(request)).defer("state__body")

    def state(self, number: int) -> tuple[Change, Object]:
        found = Object.objects.filter(pk=number).first()
        if found is None:
            raise Http404("there is no such object any more")
        return found.state, found

    @admin.display(description="changed (UTC)")
    def changed(self, row: Object) -> str:
        return moment(row.state.at)


class ChangeAdmin(ReadOnly):
    list_display = ("when", "what", "kind", "namespace", "name", "revision")
    list_display_links = ("name",)
    list_filter = (ClusterFilter, RevisionFilter, KindFilter, NamespaceFilter)
    ordering = ("-revision",)
    window = WINDOW

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        asked = request.GET.get("until", "")
        until = int(asked) if asked.isdecimal() and len(asked) < 19 else newest_revision()
        window = {"revision__gt": until - WINDOW, "revision__lte": until}
        return super().get_queryset(request).filter(cluster=cluster_of(request), **window).defer("body")

    def state(self, number: int) -> tuple[Change, Object | None]:
        found = Change.objects.filter(pk=number).first()
        if found is None:
            raise Http404("the log has no such change any more")
        key = {"cluster": found.cluster_id, "storage": found.storage, "namespace": found.namespace, "name": found.name}
        return found, Object.objects.filter(**key).first()

    @admin.display(description="when (UTC)")
    def when(self, row: Change) -> str:
        return moment(row.at)

    @admin.display(description="what")
    def what(self, row: Change) -> str:
        return TYPES[row.type]
