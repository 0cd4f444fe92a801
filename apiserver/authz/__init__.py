"""Who may, asked of several authorizers in turn: a file of kind AuthorizationConfiguration, and its webhooks."""
