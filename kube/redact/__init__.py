"""What must not be shown: values of Secrets, and whatever else looks like a credential, wherever it stands.

- `names`: which names of fields, variables and flags usually hold a credential.
- `text`: any text: log lines, messages, configuration files, scripts, JSON, URLs.
- `commands`: the programs that take a password by a short option.
- `objects`: decoded objects of the API, in place.

All of it takes time linear to what it is given, however hostile that is, and leaves references to credentials readable
(`secretName`, `$(DB_PASSWORD)`, `--password-file=/run/x`).
"""
