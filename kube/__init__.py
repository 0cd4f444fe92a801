"""What Kubernetes is: its kinds and rules as functions of JSON; no database, no network, no framework (docs/adr/0012).

    objects          the types of what is passed about              errors         Status objects as exceptions
    quantity, clock  amounts and times as the API writes them       cron           schedules of CronJobs
    selectors        label and field selectors                      nodematch      node selectors, affinity, taints
    conditions       `status.conditions`: find, put, update         ownerrefs      `metadata.ownerReferences`
    events           Event objects, and which happenings are one    names          names that are made up
    validation       formats of names and values                    objectmeta     rules of `metadata`
    resourcelist     rules of `{"cpu": "500m"}`                      volumeclaims   rules of a claim's spec
    columns          cells that tables of several kinds share       users          who asks
    memo             results by the bytes of a value                pods           what follows from a pod

    schema           definitions, decoding, defaults, unknown fields
    protobuf         the other wire format                          patch          JSON, merge and strategic patches
    managedfields    server-side apply                              cel            the Common Expression Language
    crd              from a CustomResourceDefinition to kinds
    registry         what a kind is, and which there are            kinds          one module a kind or group

Nothing is imported here: a program of a node that wants `kube.clock` must not pay for the kinds.
"""
