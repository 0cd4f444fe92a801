"""Where a Service's traffic goes: Endpoints, EndpointSlices, and slices mirrored from Endpoints that users write."""
