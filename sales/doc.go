// Package sales is what a company sells: products in a tree of categories, and prices for some time and from some quantity
// on. Package sales/calc computes what quotes, contracts and invoices come to.
//
//	parts := &sales.Category{Name: "Spare parts"}
//	err := c.Sales.Categories.Create(ctx, admin, parts)
//	err = c.Sales.Products.Create(ctx, admin, &sales.Product{Name: "Ball bearing 6204", Category: parts.ID, Unit: "pcs", Price: price})
//	found, err := c.Sales.Products.List(ctx, li, sales.ProductFilter{Categories: []sales.CategoryID{parts.ID}}, crm.Page{})
//
// Reading needs the permission sales.read, changing product.manage from a role that reaches all: products have no owner.
package sales
