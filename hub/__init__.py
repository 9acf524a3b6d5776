"""Hub: the socket edge. Holds sockets and nothing else that matters.

Owns      the transport behind one typed wall (`transport`), who may connect (`auth`, `tokens`, `expiry`), what may
          be asked (`registry`, `asking`, `handlers`), the relay and the feed (`relay`, `follower`, `delivery`,
          `resume`, `recovery`), rate limits (`limits`), presence, live positions (`tracking`, `watching`, `opsmap`),
          what processes tell each other (`bus`, `earshot`), several hubs on one port (`supervisor`), going down
          without loss (`drain`) and the AsyncAPI document.
Tables    none; the feed is storage's
Redis     presence leases; what a recoverable connection stands for; words between processes: facts as they get
          their place, a worker moved
Promises  a fact reaches every member of its audience at least once, in order, also over reconnects and crashes;
          a live value is the latest or nothing; every request is answered; one slow socket delays nobody.
Knows     rest and dispatch only through `ports`, filled by `wiring`.
"""
