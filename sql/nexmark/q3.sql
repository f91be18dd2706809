-- Query 3, local item suggestion: who sells in OR, ID or CA in category 10, and which auctions?
-- mode: append
-- Nothing bounds the time between a person and their auctions, so both sides are kept for ever.
SELECT p.name, p.city, p.state, a.id
FROM auction a
JOIN person p ON a.seller = p.id
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')
