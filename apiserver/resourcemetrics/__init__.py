"""metrics.k8s.io/v1beta1: what nodes and pods use now, for `kubectl top` and autoscalers.

Other clusters run a metrics-server for it, behind API aggregation. Here the API server asks the kubelets itself, when
somebody wants to know (see `scraper`), so that a cluster in which nobody asks pays nothing. The addon `metrics` switches it
on, with the APIService v1beta1.metrics.k8s.io.
"""
