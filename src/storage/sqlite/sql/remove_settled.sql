-- The lowest rows, which lie side by side, at most ?2 of them: an append must not wait for all.
DELETE FROM recent_batches
WHERE id < ?1 AND id < (SELECT MIN(id) FROM recent_batches) + ?2
