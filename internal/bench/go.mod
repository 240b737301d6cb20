module github.com/openseas/crm/internal/bench

go 1.26.8

replace github.com/openseas/crm => ../../
