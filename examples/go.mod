module github.com/openseas/crm/examples

go 1.26.8

replace github.com/openseas/crm => ../
