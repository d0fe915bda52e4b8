"""Swaths -> one plume: detections of many swaths become one event, events become sites.

    sightings     what one swath shows of one plume, its error split into random and shared
    gating        which sighting belongs to which plume, in metres over ground
    estimate      the best position of the foot, with a covariance that is honest
    track         one plume being followed: what was seen of what could have been
    announcement  what is said of it, and whether it is worth saying again
    tracker       confirmation, updates and ends: `PlumeTracker`
    sites         events on several lines -> one place on the seabed: `SiteIndex`
"""
