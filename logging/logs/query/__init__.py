"""The query language of log search: a small part of Lucene's syntax, where words that stand side by side must all occur.

    timeout "connection refused"       words, and a phrase, of the message; upper and lower case are the same
    level:error  ns:shop  pod:web-*    fields, with * and ? as wildcards (`query.fields` lists them)
    fields.status:>=500                numbers: > >= < <= and [400 TO 499], {400 TO 500}; also of level and time
    -debug  NOT stream:stderr          negation
    a AND (b OR c)  ns:(shop OR bank)  && and || do as well; AND binds tighter than OR
    fields.user:*                      the field is there
    \\: \\* \\-                          a backslash takes the meaning from a character

`parse` makes a tree of `query.nodes`; `index.compile` and `search.dsl` turn it into questions for the two stores.
"""

from logs.query.errors import QueryError
from logs.query.parser import parse

__all__ = ["QueryError", "parse"]
