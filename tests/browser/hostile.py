"""Strings that a sender may put anywhere, and that must stay text."""

XSS = (
    "<script>window.pwned = 1</script>",
    "\"><img src=x onerror=\"window.pwned=1\">",
    "'><svg/onload=window.pwned=1>",
    "</title></textarea></style><script>window.pwned=1</script>",
    "javascript:window.pwned=1",
    "<a href=\"javascript:window.pwned=1\">x</a>",
    "{{constructor.constructor('window.pwned=1')()}} ${window.pwned=1}",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
)
ODD = (
    "right\u202eto left\u202c back", "nul\u0000 bell\u0007 esc\u001b[31m del\u007f", "zero\u200bwidth\u2060\ufeff",
    "line\nbreak\ttab\r\n", "W" * 200, "Z\u0351\u0352\u0353\u0354\u0355\u0356\u0357\u0358\u0359\u035a" * 15,
    "שלום עולם مرحبا", "😀👩‍👩‍👧‍👦🏳️‍🌈", "__proto__", "constructor", "toString", "..", "a/b?c#d&e=f%2F%", " ", "-1", "=1+1",
)
ALL = XSS + ODD
