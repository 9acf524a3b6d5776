"""Greetings: texts of a queue by language, with the variables of quick replies known when a chat opens. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chat.desk.replies import check_body, render

GREETING_MAX = 500
"""Longer than a phone shows at once nobody reads."""

GREETING_VARIABLES = ("customer_name", "queue_name")
CLOSED_VARIABLES = (*GREETING_VARIABLES, "ticket_no")
"""Out of hours a chat becomes a ticket, whose number is known then."""

NAMELESS = {"zh-CN": "客户", "en": "customer"}


def check_greetings(greeting: Mapping[str, str], closed_notice: Mapping[str, str]) -> None:
    """Raises ReplyTemplateInvalid."""
    for texts, variables in ((greeting, GREETING_VARIABLES), (closed_notice, CLOSED_VARIABLES)):
        for text in texts.values():
            check_body(text, variables=variables, characters_max=GREETING_MAX)


def text_of(texts: Mapping[str, str], language: str, known: Mapping[str, str]) -> str:
    """In this language, or in one there is; who has no name is called customer."""
    tag = language if language in texts else next(iter(texts))
    nameless = {"customer_name": NAMELESS.get(tag, NAMELESS["en"])}
    return render(texts[tag], nameless | {name: value for name, value in known.items() if value})
