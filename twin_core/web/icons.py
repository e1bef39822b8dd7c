# ruff: noqa: E501  (drawings are one line each)
"""Line icons on a raster of 16, drawn for the desk and set inline: no request, no style attribute."""

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

PATHS: dict[str, str] = {
    "alert": '<path d="M8 2 15 14H1Z"/><path d="M8 6.5v3.5M8 12v.1"/>',
    "archive": '<path d="M2 3h12v3H2zM3 6v7h10V6M6.5 9h3"/>',
    "arrow": '<path d="M3 8h10M9 4l4 4-4 4"/>',
    "check": '<circle cx="8" cy="8" r="6.5"/><path d="m5 8.2 2.2 2.2L11.2 6"/>',
    "circle": '<circle cx="8" cy="8" r="6"/>',
    "clock": '<circle cx="8" cy="8" r="6.5"/><path d="M8 4.5V8l2.5 1.8"/>',
    "copy": '<rect x="5.5" y="5.5" width="8" height="8" rx="1"/><path d="M3 10.5H2.5v-8h8V3"/>',
    "cross": '<path d="M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5Z"/><path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4"/>',
    "dash": '<circle cx="8" cy="8" r="6.5"/><path d="M5 8h6"/>',
    "dot": '<circle cx="8" cy="8" r="6.5"/><circle cx="8" cy="8" r="2" fill="currentColor"/>',
    "download": '<path d="M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11"/>',
    "empty": '<path d="M2 9 4 3h8l2 6v4H2zM2 9h3.5l1 1.7h3L10.5 9H14"/>',
    "flask": '<path d="M6 2h4M6.8 2v4L3 13.5h10L9.2 6V2M4.8 10h6.4"/>',
    "info": '<circle cx="8" cy="8" r="6.5"/><path d="M8 7.2v4M8 4.8v.1"/>',
    "key": '<circle cx="5" cy="8" r="3"/><path d="M8 8h6.5M12 8v2.5"/>',
    "link": '<path d="m6.5 9.5 3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7"/>',
    "lock": '<rect x="3" y="7" width="10" height="7" rx="1"/><path d="M5.5 7V4.5a2.5 2.5 0 0 1 5 0V7"/>',
    "pause": '<circle cx="8" cy="8" r="6.5"/><path d="M6.3 5.8v4.4M9.7 5.8v4.4"/>',
    "pen": '<path d="M2.5 13.5 3.3 10 11 2.3l2.7 2.7L6 12.7ZM9.5 3.8l2.7 2.7"/>',
    "person": '<circle cx="8" cy="5" r="2.7"/><path d="M2.8 14a5.2 5.2 0 0 1 10.4 0"/>',
    "print": '<path d="M4.5 6V2h7v4M4.5 11.5h-2.5V6h12v5.5h-2.5M4.5 9.5h7V14h-7z"/>',
    "process": '<path d="M1.5 12c3 0 2.5-8 6.5-8s3.5 5 6.5 5"/><path d="M1.5 14.5h13"/>',
    "question": '<circle cx="8" cy="8" r="6.5"/><path d="M6.2 6.3a1.9 1.9 0 1 1 2.6 1.9c-.6.3-.8.6-.8 1.3M8 11.5v.1"/>',
    "search": '<circle cx="7" cy="7" r="4.5"/><path d="m10.5 10.5 3.5 3.5"/>',
    "sync": '<path d="M13.5 8a5.5 5.5 0 0 1-10 3.2M2.5 8a5.5 5.5 0 0 1 10-3.2M12.8 2v3h-3M3.2 14v-3h3"/>',
    "table": '<rect x="2" y="2.5" width="12" height="11" rx="1"/><path d="M2 6.2h12M2 9.8h12M6.5 6.2v7.3"/>',
    "close": '<path d="m3.5 3.5 9 9m0-9-9 9"/>',
    "down": '<path d="m4 6 4 4 4-4"/>',
}


def icon(name: str) -> SafeString:
    """Return the icon as inline SVG, silent to screen readers: the word beside it speaks.

    Raises KeyError for a name that is not drawn.
    """
    return format_html(
        '<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{}</svg>',
        mark_safe(PATHS[name]),  # noqa: S308  our own drawing above, nothing from outside
    )
