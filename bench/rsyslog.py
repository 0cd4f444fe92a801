"""rsyslog as it is usually set up for Elasticsearch, to measure beside the shipper: tails the files of containers, posts in
bulk. It takes the lines as they are: no container, level or fields; and it knows no line again after a kill."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

AVAILABLE = all((shutil.which("rsyslogd"), list(Path("/usr/lib").glob("*/rsyslog/omelasticsearch.so"))))

CONFIG = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omelasticsearch")
template(name="document" type="list" option.jsonf="on") {{
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
  property(outname="source" name="$!metadata!filename" format="jsonf")
}}
input(type="imfile" file="{files}" tag="container" addMetadata="on" ruleset="ship")
ruleset(name="ship") {{
  action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" searchIndex="{index}" searchType="" template="document"
    bulkmode="on" maxbytes="4m" action.resumeRetryCount="-1"
    queue.type="linkedList" queue.size="200000" queue.dequeueBatchSize="4096")
}}
"""


class Rsyslog:
    """The process, over `files` (a pattern), into `index` of the Elasticsearch at `port`."""

    def __init__(self, folder: Path, files: str, port: int, index: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        (folder / "rsyslog.conf").write_text(CONFIG.format(folder=folder, files=files, port=port, index=index))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                ["rsyslogd", "-n", "-f", str(self.folder / "rsyslog.conf"), "-i", str(self.folder / "pid")],
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
