//! Known bugs of a crowd's host, switched on by name, to prove that its judge catches them.

use crate::kernel::named::named;

named! {
    /// A bug of a crowd's host.
    pub enum CrowdBug {
        /// A reader whose events have come to their end does not ask again.
        ReconnectionLost = "crowd-reconnection-lost";
        /// The cache of a datacenter tells the URLs of streams apart by their parameters alone.
        KeyWithoutStream = "crowd-key-without-stream";
        /// Who joins those who listen to events is not told what they were told before.
        EarlierEventsNotTold = "crowd-earlier-events-not-told";
        /// A reader that has gone and come back hears the events that it listened to before.
        OutdatedEventsHeard = "crowd-outdated-events-heard";
        /// A reader whose events have come to their end takes their place for its own until it asks again: if it goes
        /// meanwhile, it ends the request that has the place by then.
        PlaceKeptAfterEnd = "crowd-place-kept-after-end";
        /// The end of events comes on a way of its own, perhaps before their head.
        EndOvertakesHead = "crowd-end-overtakes-head";
        /// The end of events is entered for the time at which their head has come.
        EndComesWithHead = "crowd-end-comes-with-head";
        /// A reader takes it for a refusal that what its browser has is still right.
        NotModifiedRefused = "crowd-not-modified-refused";
        /// A browser takes each copy for new, however old a cache says that it is.
        BrowserForgetsAge = "crowd-browser-forgets-age";
        /// A browser has the same copy for all positions of a stream.
        BrowserKeyWithoutOffset = "crowd-browser-key-without-offset";
        /// A browser hands out the copy that it has, though it has been answered that there is another page by now.
        ChangedPageNotTaken = "crowd-changed-page-not-taken";
        /// What a browser has asked for to freshen what it had handed out stale is heard by its reader as well.
        RefreshHeardByReader = "crowd-refresh-heard-by-reader";
        /// A reader that has read a stream to its end does not come to read it again.
        WalkNotRepeated = "crowd-walk-not-repeated";
        /// A reader waits for an answer for as long as it takes.
        NeverGivesUp = "crowd-never-gives-up";
    }
}

impl CrowdBug {
    /// Whether only those can see it who leave about when their events end.
    pub fn needs_leavers(self) -> bool {
        self == Self::PlaceKeptAfterEnd
    }

    /// Whether only those can see it who share connections with events, as a cache in front has them do by one policy.
    pub fn needs_shared_events(self) -> bool {
        matches!(self, Self::EarlierEventsNotTold | Self::OutdatedEventsHeard | Self::EndOvertakesHead)
    }
}
