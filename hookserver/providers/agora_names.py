"""Agora's numbers and what they mean.

Source: docs.agora.io, "Channel event types", "Cloud Recording callback events", "Media Pull" and
"Media Push" notifications, "Conversational AI Engine notifications", "Media Gateway notifications".
Client types from 28 on are not in those pages; they are as observed in practice.
"""

from __future__ import annotations

PRODUCTS: dict[int, str] = {
    1: "RTC",
    2: "Media Push (client side)",
    3: "Cloud Recording",
    4: "Media Pull",
    5: "Media Push",
    7: "Broadcast Streaming",
    17: "Conversational AI",
    20: "Real-Time STT",
}

#: The part of an event type before the dot.
PRODUCT_SLUGS: dict[int, str] = {
    1: "rtc", 2: "client_media_push", 3: "cloud_recording", 4: "media_pull", 5: "media_push", 7: "broadcast",
    17: "conversational_ai", 20: "stt",
}

_EVENTS: dict[int, dict[int, str]] = {
    1: {
        101: "channel_created", 102: "channel_destroyed",
        103: "broadcaster_joined", 104: "broadcaster_left",
        105: "audience_joined", 106: "audience_left",
        107: "user_joined", 108: "user_left",
        111: "role_broadcaster", 112: "role_audience",
    },
    3: {
        1: "error", 2: "warning", 3: "status_update", 4: "file_infos", 11: "session_exit", 12: "session_failover",
        30: "uploader_started", 31: "uploaded", 32: "backuped", 33: "uploading_progress",
        40: "recorder_started", 41: "recorder_leave", 42: "recorder_slice_start",
        43: "audio_stream_state_changed", 44: "video_stream_state_changed", 45: "snapshot_file",
        60: "vod_started", 61: "vod_triggered",
        70: "web_recorder_started", 71: "web_recorder_stopped", 72: "web_recorder_capability_limit", 73: "web_recorder_reload",
        80: "transcoder_started", 81: "transcoder_completed", 90: "download_failed", 100: "rtmp_publish_status",
        1001: "postpone_transcode_final_result",
    },
    4: {1: "player_created", 3: "player_destroyed", 4: "player_status_changed"},
    5: {1: "converter_created", 2: "converter_config_changed", 3: "converter_state_changed", 4: "converter_destroyed"},
    17: {101: "agent_joined", 102: "agent_left", 103: "agent_history", 110: "agent_error", 111: "agent_metrics",
         201: "call_201", 202: "call_202"},
}

EVENT_TYPES: dict[tuple[int, int], str] = {
    (product, number): f"{PRODUCT_SLUGS[product]}.{name}"
    for product, events in _EVENTS.items() for number, name in events.items()
}

#: What an RTC event says about ``{user}``.
RTC_TITLES: dict[int, str] = {
    101: "channel created", 102: "channel destroyed",
    103: "{user} joined as host", 104: "{user} left as host",
    105: "{user} joined as audience", 106: "{user} left as audience",
    107: "{user} joined", 108: "{user} left",
    111: "{user} became host", 112: "{user} became audience",
}

PLATFORMS: dict[int, str] = {0: "Other", 1: "Android", 2: "iOS", 5: "Windows", 6: "Linux", 7: "Web", 8: "macOS"}

#: Sent with platform 6 only.
CLIENT_TYPES: dict[int, str] = {
    3: "On-premise recording", 8: "Mini program", 10: "Cloud recording", 28: "Media Pull", 30: "Media Push", 43: "Media Relay",
    47: "STT publishing bot", 48: "STT subscribing bot", 50: "Media Gateway", 60: "Conversational AI", 68: "Real-Time STT",
}

REASONS: dict[int, str] = {
    0: "other reason",
    1: "normal leave",
    2: "connection timeout",
    3: "no permission",
    4: "server load balancing",
    5: "switched to a new device",
    9: "several addresses for one user",
    10: "network trouble",
    12: "token expired or wrong",
    99: "unknown network trouble",
    999: "abnormal: joins and leaves too often",
}


def platform_name(platform: object, client_type: object = None) -> str:
    """``Web``, ``Linux, Cloud recording``, ``platform 77``; "" when the notice does not say."""
    if type(platform) is not int:
        return ""
    name = PLATFORMS.get(platform) or (f"platform {platform}" if abs(platform) < 10**6 else "")
    client = CLIENT_TYPES.get(client_type) if type(client_type) is int else None
    return f"{name}, {client}" if client and name else client or name


def mappings() -> dict[str, dict[str, str]]:
    """All tables, with text keys, for the API. Event types are keyed ``"<product>.<number>"``."""
    return {
        "products": {str(number): name for number, name in PRODUCTS.items()},
        "event_types": {f"{product}.{number}": name for (product, number), name in EVENT_TYPES.items()},
        "platforms": {str(number): name for number, name in PLATFORMS.items()},
        "client_types": {str(number): name for number, name in CLIENT_TYPES.items()},
        "reasons": {str(number): name for number, name in REASONS.items()},
    }
