"""batch/v1: Job, CronJob."""

from kube.kinds.batch import cronjob, job
from kube.registry import register

register(cronjob.KIND, job.KIND)
