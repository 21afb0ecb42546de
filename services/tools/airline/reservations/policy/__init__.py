"""The airline's rules for reservations, checked on the tools' own state. Pure.

`may_...` checks all rules. `can_...` checks only what is impossible whatever the policy is: flights must exist and have
seats, payment methods must exist and cover their part. Each returns a Refusal with the rule's number, or None. The
caller has already checked that the reservation is the customer's (G1).

Two facts depend on the model's word. The first is that the customer cancels for health or weather (X3): it is believed
if stated, and assumed for an insured reservation if no reason is given. The second is that they asked for compensation
(K1). `now` must have a time zone.
"""
