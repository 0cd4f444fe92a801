"""Every variable of the environment that the project reads: one declaration each, and nobody reads one elsewhere.

`docs/settings.md` is this table as a page; `python -m environment` prints it. Arguments of programs are not here: each
program's `--help` tells its own.
"""

from __future__ import annotations

import os

from environment.setting import (
    ADDRESS,
    COUNT,
    DATABASE,
    FOLDER,
    LEVEL,
    MAYBE_PATH,
    NUMBER,
    PORT,
    POSITIVE,
    RANGE,
    RANGES,
    REDIS,
    TEXT,
    URL,
    WORDS,
    Section,
)

# -- Set by whoever starts a cluster

_cluster = Section("A cluster", "For `make up`, and for every process that it starts.")

VAR = _cluster.setting("BINNACLE_VAR", FOLDER, "var", "the folder of all state; `make up VAR=…` sets it")
MAKE_PORT = _cluster.setting("PORT", PORT, "8080", "the port of the dashboard; `make up PORT=…`")
MAKE_API_PORT = _cluster.setting("API_PORT", PORT, "6443", "the port of the Kubernetes API; `make up API_PORT=…`")
DATABASE_URL = _cluster.setting(
    "DATABASE_URL", DATABASE, "", "what keeps the state; empty: the SQLite file `cluster.db` in the state folder", True
)
KEYS = _cluster.setting(
    "BINNACLE_KEYS",
    MAYBE_PATH,
    "",
    "the folder of the keys that secrets are encrypted with; empty: `keys` in the state folder",
)
WITHOUT = _cluster.setting(
    "BINNACLE_WITHOUT", WORDS, "", "processes that are not started: `kubelet,kubeproxy` gives a control plane alone"
)
ADMISSION_PLUGINS = _cluster.setting(
    "BINNACLE_ADMISSION_PLUGINS", WORDS, "", "admission plugins to switch on beside those that are on by default"
)
ADMISSION_CONFIG = _cluster.setting(
    "BINNACLE_ADMISSION_CONFIG",
    MAYBE_PATH,
    "",
    "a file of kind AdmissionConfiguration, with what plugins are configured with",
)
AUTHENTICATION_CONFIG = _cluster.setting(
    "BINNACLE_AUTHENTICATION_CONFIG",
    MAYBE_PATH,
    "",
    "a file of kind AuthenticationConfiguration: whose tokens users log in with; read again when it changes",
)
AUTHORIZATION_CONFIG = _cluster.setting(
    "BINNACLE_AUTHORIZATION_CONFIG",
    MAYBE_PATH,
    "",
    "a file of kind AuthorizationConfiguration: which authorizers judge requests; read again when it changes",
)
SERVICE_ACCOUNT_ISSUER = _cluster.setting(
    "BINNACLE_SERVICE_ACCOUNT_ISSUER",
    WORDS,
    "https://kubernetes.default.svc",
    "who issues tokens of service accounts, as their `iss` says; those after the first are accepted still",
)
ADDONS = _cluster.setting("BINNACLE_ADDONS", MAYBE_PATH, "", "a folder with addons of your own")
LOG_LEVEL = _cluster.setting("BINNACLE_LOG_LEVEL", LEVEL, "INFO", "the least level that the programs log")
METRICS_RESOLUTION = _cluster.setting(
    "BINNACLE_METRICS_RESOLUTION", POSITIVE, "15", "API server: seconds between two rounds over the kubelets' figures"
)

# -- The controllers

_controllers = Section("Controllers", "For `make up` too; the worker of the controllers reads them.")

NODE_GRACE = _controllers.setting(
    "BINNACLE_NODE_GRACE", NUMBER, "40", "seconds without a renewed Lease after which a node counts as unknown"
)
TERMINATED_PODS = _controllers.setting(
    "BINNACLE_TERMINATED_PODS", COUNT, "12500", "finished pods that are kept over the whole cluster"
)
AUTOSCALER_PERIOD = _controllers.setting(
    "BINNACLE_AUTOSCALER_PERIOD", NUMBER, "15", "seconds between two looks of the horizontal pod autoscaler"
)
HISTORY_HOURS = _controllers.setting(
    "BINNACLE_HISTORY_HOURS", NUMBER, "24", "hours for which the change log keeps what was replaced"
)
HISTORY_CHANGES = _controllers.setting(
    "BINNACLE_HISTORY_CHANGES",
    COUNT,
    "200000",
    "the newest changes that the log keeps at most, beside the newest state of each object",
)
EVENT_TTL = _controllers.setting(
    "BINNACLE_EVENT_TTL", NUMBER, "3600", "seconds for which an Event is kept after it was last written"
)

# -- Set by `make up`

_processes = Section(
    "An installation's processes",
    "`make up` sets these for each process that it starts, and pods of the project's images inherit them.",
)

DASHBOARD_PORT = _processes.setting("BINNACLE_PORT", PORT, "8080", "the port of the dashboard")
API_PORT = _processes.setting("BINNACLE_API_PORT", PORT, "6443", "the port of the Kubernetes API")
REDIS_URL = _processes.setting(
    "BINNACLE_REDIS",
    REDIS,
    "",
    "Redis, for work queues and hints; empty: none. The password of the installation's own is in `pki/redis.password`",
    True,
)
SERVICE_CIDR = _processes.setting("BINNACLE_SERVICE_CIDR", RANGE, "10.96.0.0/16", "addresses of services")
POD_CIDR = _processes.setting("BINNACLE_POD_CIDR", RANGE, "10.244.0.0/16", "addresses of pods")
NODE_ADDRESS = _processes.setting(
    "BINNACLE_NODE_ADDRESS", ADDRESS, "127.0.0.1", "where pods reach this machine; set where a supervisor runs"
)

# -- The dashboard

_dashboard = Section("The dashboard", "Where the dashboard runs elsewhere than `make up` puts it.")

ALLOWED_HOSTS = _dashboard.setting(
    "BINNACLE_ALLOWED_HOSTS",
    WORDS,
    "",
    "host names under which it may be called; empty: this machine's loopback names and the node's address",
)
TRUSTED_PROXIES = _dashboard.setting(
    "BINNACLE_TRUSTED_PROXIES",
    RANGES,
    "",
    "reverse proxies in front of it: from them alone `X-Forwarded-For` and `X-Forwarded-Proto` are believed",
)
API_URL = _dashboard.setting(
    "BINNACLE_API_URL", URL, "", "the API server; empty: `https://127.0.0.1:$BINNACLE_API_PORT`"
)
API_CA = _dashboard.setting(
    "BINNACLE_API_CA",
    MAYBE_PATH,
    "",
    "file with the authority of the API server's certificate; empty: of the service account, else of the state folder",
)
API_TOKEN_FILE = _dashboard.setting(
    "BINNACLE_API_TOKEN_FILE", MAYBE_PATH, "", "file with the token for the API; empty: of the service account"
)
SERVICE_ACCOUNT_DIR = _dashboard.setting(
    "BINNACLE_SERVICE_ACCOUNT_DIR",
    FOLDER,
    "/var/run/secrets/kubernetes.io/serviceaccount",
    "where the service account is mounted",
)

# -- Listening sockets

_sockets = Section(
    "Listening sockets",
    "What the API server, the dashboard, the kubelet, the log store and monitoring grant to who connects, each process for"
    " itself; one of several API servers counts its own. What is over a bound is answered 431, 408 or 503, or closed.",
)

HEADER_BYTES = _sockets.setting("BINNACLE_HEADER_BYTES", COUNT, "32768", "bytes of a request line with its headers")
HEADER_COUNT = _sockets.setting("BINNACLE_HEADER_COUNT", COUNT, "100", "headers of a request")
HEADER_SECONDS = _sockets.setting(
    "BINNACLE_HEADER_SECONDS", POSITIVE, "10", "seconds for a TLS handshake, and then for the headers of a request"
)
BODY_SECONDS = _sockets.setting("BINNACLE_BODY_SECONDS", POSITIVE, "60", "seconds for the body of a request")
IDLE_SECONDS = _sockets.setting(
    "BINNACLE_IDLE_SECONDS", POSITIVE, "90", "seconds for which a connection is kept between two requests"
)
WRITE_SECONDS = _sockets.setting(
    "BINNACLE_WRITE_SECONDS", POSITIVE, "30", "seconds for which a client may take nothing of an answer, or of a watch"
)
CONNECTIONS = _sockets.setting(
    "BINNACLE_CONNECTIONS", COUNT, "1024", "connections of a process; never more than three quarters of its open files"
)
ADDRESS_CONNECTIONS = _sockets.setting(
    "BINNACLE_ADDRESS_CONNECTIONS", COUNT, "512", "connections from one address; behind a proxy all share its address"
)

# -- Fairness

_fairness = Section(
    "Fairness between users of the API",
    "Of each API server process for itself. Members of `system:masters`, and what a FlowSchema sends to a level of the type"
    " Exempt, are not bounded. What is over a bound is answered 429 with Retry-After, a watch is ended.",
)

SEATS = _fairness.setting(
    "BINNACLE_SEATS",
    POSITIVE,
    "32",
    "requests at work at once, which priority levels share by `nominalConcurrencyShares`, and lend each other",
)
USER_CONNECTIONS = _fairness.setting("BINNACLE_USER_CONNECTIONS", COUNT, "256", "connections of one user")
USER_REQUESTS = _fairness.setting(
    "BINNACLE_USER_REQUESTS", COUNT, "128", "requests of one user that are answered or wait for it"
)
USER_WATCHES = _fairness.setting(
    "BINNACLE_USER_WATCHES", COUNT, "100", "watches, followed logs and other streams of one user"
)
USER_BYTES = _fairness.setting(
    "BINNACLE_USER_BYTES", COUNT, "67108864", "bytes of answers and events that wait for one user to read them"
)

# -- Inside a pod

_pods = Section("Programs in pods", "The kubelet or a pod's manifest sets these.")

POD_ROOT = _pods.setting(
    "BINNACLE_POD_ROOT", MAYBE_PATH, "", "below this are the pod's mounts; empty: it has a mount namespace of its own"
)
CONTAINER_ID = _pods.setting(
    "BINNACLE_CONTAINER_ID", TEXT, "", "marks the processes of a container; nobody else's to set"
)
POD_IP = _pods.setting(
    "POD_IP", ADDRESS, "", "where to listen: set where pods share the machine's network; empty: on all addresses"
)
MY_POD_IP = _pods.setting("MY_POD_IP", ADDRESS, "", "the pod's address, for a program that names itself to others")
NODE_NAME = _pods.setting("NODE_NAME", TEXT, "", "log shipper: the node's name; empty: the machine's")
LOG_STORE_AUTHORIZATION = _pods.setting(
    "LOG_STORE_AUTHORIZATION", TEXT, "", "log store: the header Authorization for Elasticsearch, as `ApiKey …`", True
)
KUBERNETES_SERVICE_HOST = _pods.setting(
    "KUBERNETES_SERVICE_HOST", TEXT, "", "the API server as pods find it; Kubernetes sets it in every pod"
)
KUBERNETES_SERVICE_PORT = _pods.setting("KUBERNETES_SERVICE_PORT", PORT, "443", "its port")

# -- Not ours

_others = Section("Of the system", "Others define these; the project heeds them.")

KUBECONFIG = _others.setting("KUBECONFIG", TEXT, "", "where a client finds its kubeconfig; the first of several files")
PATH = _others.setting(
    "PATH",
    TEXT,
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "where programs are looked for; containers of the image `host` get it",
)
DJANGO_SETTINGS_MODULE = _others.setting(
    "DJANGO_SETTINGS_MODULE", TEXT, "config.settings", "the module of Django's settings"
)

# -- Tests and benches

_tests = Section("Tests and benches", "For `make test` and `make bench`.")

BROWSER = _tests.setting("BINNACLE_BROWSER", TEXT, "", "the browser of tests/browser; empty: the Chromium on the PATH")
ELASTICSEARCH = _tests.setting(
    "BINNACLE_ELASTICSEARCH", FOLDER, "build/elasticsearch", "where a real Elasticsearch is installed"
)
GOLDEN = _tests.setting(
    "BINNACLE_GOLDEN",
    FOLDER,
    "../shared/golden",
    "recordings of a real Kubernetes; without them tests/golden is skipped",
)
CI = _tests.setting("CI", TEXT, "", "`true`: a test that lacks a program fails; elsewhere it is skipped")

SECTIONS = (_cluster, _controllers, _processes, _dashboard, _sockets, _fairness, _pods, _others, _tests)
TABLE = {setting.name: setting for section in SECTIONS for setting in section.settings}
"""Every setting by the name of its variable."""


def check() -> None:
    """Read all that is set. Raises ValueError for the first that cannot be read."""
    for setting in TABLE.values():
        setting.get()


def unknown() -> list[str]:
    """A sentence for each variable that looks like a setting of ours and is none: a typo must not be silent."""
    found = sorted(name for name in os.environ if name.startswith("BINNACLE_") and name not in TABLE)
    if not found:
        return []
    from difflib import get_close_matches

    ours = [name.removeprefix("BINNACLE_") for name in TABLE if name.startswith("BINNACLE_")]
    sentences = []
    for name in found:
        near = "".join(f": is BINNACLE_{match} meant?" for match in get_close_matches(name[9:], ours, 1))
        sentences.append(f"nothing reads {name}{near or ', see docs/settings.md'}")
    return sentences


def passed_on(*also: str) -> dict[str, str]:
    """What a program of the project is given of this process's environment: its settings, and `also`."""
    return {name: value for name, value in os.environ.items() if name.startswith("BINNACLE_") or name in also}
