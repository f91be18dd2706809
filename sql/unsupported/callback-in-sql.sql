-- mode: update
SELECT userId, mapGroupsWithState(price) FROM clicks GROUP BY userId
