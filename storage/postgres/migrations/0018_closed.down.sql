-- The counters stay closed, as they were to be before.
SELECT 1;
