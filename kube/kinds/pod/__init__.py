"""Pod and PodTemplate: defaults, rules, what may change, printed cells. What other programs ask of pods is in `kube.pods`."""

from kube.kinds.pod import pod, template
from kube.registry import register

register(*pod.KINDS, *template.KINDS)
