-- mode: update
SELECT page, bitstring_agg(userId) AS users FROM clicks GROUP BY page
