"""batch/v1: Job, CronJob."""

from cluster.kinds.batch import cronjob, job
from cluster.registry import register

register(cronjob.KIND, job.KIND)
