"""Where matches come from: one MatchSource protocol, three sources, raw payloads kept verbatim."""
