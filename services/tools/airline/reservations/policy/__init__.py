"""The airline's rules for reservations, on the state that the tools keep. Pure.

`may_...` asks all rules, `can_...` only those without which a write makes no sense whatever the policy is: flights that
exist and have seats, payment methods that are there and bear their part. Each answers a Refusal with the number of the
rule, or None. Whose reservation it is has been settled before (G1).

What no state shows is the model's word: that the customer's reason to cancel is health or weather (X3), which is
believed when it is said, and assumed for an insured reservation when nothing is; and that they have asked for a
compensation (K1). `now` has a zone.
"""
