"""Random alerts for property tests."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from sonar_watch.records import Alert, PlumeEvent, Provenance, SourceRef

finite = st.floats(-12_000, 12_000)
times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
texts = st.text(st.characters(), max_size=12)  # surrogates too: file names can hold them
shares = st.floats(0, 1)
counts = st.integers(0, 10**6)
maybe = st.none() | st.integers(0, 2**40)


@st.composite
def covariances(draw: st.DrawFn) -> tuple[float, float, float]:
    east, north = draw(st.floats(0, 1e6)), draw(st.floats(0, 1e6))
    return east, draw(st.floats(-1, 1)) * (east * north) ** 0.5, north


positions = st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@st.composite
def events(draw: st.DrawFn) -> PlumeEvent:
    latitude, longitude = draw(positions) or (None, None)
    return PlumeEvent(
        event_id=draw(texts),
        state=draw(st.sampled_from(["tentative", "open", "ended", "retracted"])),
        sounder=draw(texts),
        first_seen_utc=draw(times),
        last_seen_utc=draw(times),
        latitude=latitude,
        longitude=longitude,
        covariance_m2=draw(st.none() | covariances()),
        foot_depth_m=draw(finite),
        top_depth_m=draw(finite),
        height_m=draw(finite),
        width_m=draw(finite),
        swath_count=draw(counts),
        swaths_possible=draw(counts),
        peak_confidence=draw(shares),
        median_confidence=draw(shares),
        site_id=draw(texts),
        best_frame_id=draw(texts),
        best_source=draw(st.builds(SourceRef, source=texts, file=texts, offset=maybe, swath=maybe)),
        vetoed=tuple(draw(st.lists(st.tuples(texts, counts), max_size=3))),
        position_note=draw(st.none() | texts),
        agreement=draw(st.none() | shares),
        out_of_domain=draw(st.none() | st.just("depth 7000 m, trained on 30 to 4000 m")),
    )


alerts = st.builds(
    Alert,
    sequence=st.integers(1, 2**63 - 1),
    tense=st.sampled_from(["live", "replay", "test"]),
    kind=st.sampled_from(["new", "update", "end", "retract"]),
    time_utc=times,
    event=events(),
    provenance=st.builds(Provenance, weights=texts, config=texts, code=texts),
)
