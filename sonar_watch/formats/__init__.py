"""Bytes <-> records: what sounders and ships write. No threads, no clock.

Read `rawfile` first: it walks a Kongsberg file, complete or growing, and hands on records.

    rawfile    a raw file -> pings, navigation, quarantined bytes; knows twins and suffixes
    datagrams* what both Kongsberg families share: line context, installation, beams
    kmall*     .kmall and .kmwcd (SIS 5), decoding and encoding
    em*        .all and .wcd (SIS 3 and 4), decoding and encoding
    nmea       sentences and log lines -> navigation
    sidecar    the JSON beside a picture
    svp        sound speed profiles in text files
"""
