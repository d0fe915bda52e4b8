"""Parts of datagrams in any order, with losses, repeats and limits."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import Datagram
from sonar_watch.formats.kmall import encode_mwc, split_datagram
from sonar_watch.formats.kmall_header import BODY, PARTITION, frame_datagram
from sonar_watch.formats.kmall_parts import MOST_PARTS, PartitionJoiner


@pytest.fixture(scope="module")
def wholes(make_ping):
    return [encode_mwc(make_ping(counter, beams=20)) for counter in range(4)]


def as_datagram(data: bytes, offset: int = 0) -> Datagram:
    return Datagram(kind=data[4:8].decode(), data=data, offset=offset)


def first_part(whole: bytes) -> Datagram:
    return as_datagram(split_datagram(whole, 400)[0])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whole_are_those_of_which_all_parts_came_once_each(wholes, data):
    parts = [(index, number, part) for index, whole in enumerate(wholes)
             for number, part in enumerate(split_datagram(whole, 400))]
    lost = data.draw(st.sets(st.sampled_from([each[:2] for each in parts]), max_size=3))
    sent = [each for each in parts if each[:2] not in lost]
    sent += data.draw(st.lists(st.sampled_from(sent), max_size=4))  # some come twice
    joiner, whole, given_up = PartitionJoiner(held=len(wholes)), [], []
    for _, _, part in data.draw(st.permutations(sent)):
        found, more = joiner.add(as_datagram(part))
        whole += [] if found is None else [found.data]
        given_up += more
    assert given_up == []
    broken = {index for index, _ in lost}
    assert sorted(whole) == sorted(
        each for index, each in enumerate(wholes) if index not in broken)
    given_up = joiner.flush()
    assert sum(each.missing for each in given_up) == len(lost)
    assert len(given_up) == len(broken)
    assert joiner.earliest_s == math.inf


def test_a_late_part_of_what_was_given_up_begins_nothing(wholes):
    parts = [as_datagram(part) for part in split_datagram(wholes[0], 400)]
    joiner = PartitionJoiner(longest_s=2.0)
    joiner.add(parts[0], 10.0)
    assert joiner.expire(12.0) == []
    (lost,) = joiner.expire(12.1)
    assert (lost.missing, lost.count) == (len(parts) - 1, len(parts))
    assert lost.swath == "ping 0 swath 0"
    for part in parts:
        assert joiner.add(part, 13.0) == (None, [])
    assert joiner.flush() == []


def test_age_counts_from_the_last_part_in_seconds_and_in_datagrams(wholes):
    parts = [as_datagram(part) for part in split_datagram(wholes[0], 400)]
    other = as_datagram(wholes[1])
    joiner = PartitionJoiner(longest_s=2.0, most_seen=3)
    for second in range(len(parts) - 1):
        assert joiner.add(parts[second], 1.5 * second) == (None, [])
    for _ in range(3):
        assert joiner.add(other, 1.5 * second) == (other, [])
    whole, (lost,) = joiner.add(other, 1.5 * second)
    assert whole is other
    assert lost.missing == 1


def test_what_waits_is_bounded_in_bytes(wholes):
    firsts = [first_part(whole) for whole in wholes]
    joiner = PartitionJoiner(most_bytes=sum(len(each.data) for each in firsts[:2]))
    lost = [each.first for first in firsts for each in joiner.add(first)[1]]
    assert lost == firsts[:2]


def test_a_huge_one_is_given_up_by_itself(wholes):
    joiner = PartitionJoiner(most_bytes=100)
    (lost,) = joiner.add(first_part(wholes[0]))[1]
    assert lost.missing == lost.count - 1


def test_the_earliest_that_waits_is_known(wholes, make_ping):
    joiner = PartitionJoiner()
    for whole in (wholes[2], wholes[1], wholes[3]):
        joiner.add(first_part(whole))
    earliest_s = make_ping(1, beams=20).time_utc.timestamp()
    assert joiner.earliest_s == pytest.approx(earliest_s, abs=1e-6)


@pytest.mark.parametrize("version", [0, 1])
def test_receive_fans_of_one_instant_without_common_part_are_both_joined(make_ping, version):
    whole = encode_mwc(make_ping(1, beams=20), version=version)
    joiner, found = PartitionJoiner(), 0
    for _ in range(2):
        for part in split_datagram(whole, 400):
            found += joiner.add(as_datagram(part))[0] is not None
    assert found == 2


@pytest.mark.parametrize(("count", "number"), [(0, 0), (3, 0), (3, 4), (MOST_PARTS + 1, 1)])
def test_parts_that_cannot_be_are_refused_and_change_nothing(start_utc, count, number):
    joiner = PartitionJoiner(longest_s=1.0)
    body = PARTITION.pack(count, number) + bytes(40)
    data = frame_datagram("#MWC", start_utc, body, sounder="em304", version=2)
    with pytest.raises(FormatError, match="cannot be"):
        joiner.add(as_datagram(data))
    assert joiner.flush() == []


def test_a_part_without_room_for_its_head_is_refused(start_utc):
    data = frame_datagram("#MRZ", start_utc, PARTITION.pack(3, 1), sounder="em304", version=3)
    with pytest.raises(FormatError, match="cannot be"):
        PartitionJoiner().add(as_datagram(data))


def test_bottom_detections_are_joined_too(start_utc):
    common = bytes([12, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0])
    body = PARTITION.pack(1, 1) + common + bytes(range(200))
    whole = frame_datagram("#MRZ", start_utc, body, sounder="em304", version=3)
    joiner = PartitionJoiner()
    parts = split_datagram(whole, 100)
    assert len(parts) > 3
    found = [joiner.add(as_datagram(part))[0] for part in reversed(parts)]
    assert found[-1] is not None
    assert found[-1].data == whole
    assert whole[BODY:BODY + 4] == PARTITION.pack(1, 1)
