package calc

import "github.com/openseas/crm/kernel"

// The reasons of errors (quote-to-cash.md §5): errors.Is(err, calc.Scale).
const (
	Scale                   kernel.Reason = "scale"                     // more decimals than the field takes; inputs are never rounded
	DiscountRange           kernel.Reason = "discount_range"            // a percent paid outside 0 to 100, or a negative amount off
	NegativePrice           kernel.Reason = "negative_price"            //
	ZeroQuantity            kernel.Reason = "zero_quantity"             // unless Options.AllowZeroQuantity
	NegativeQuantity        kernel.Reason = "negative_quantity"         // unless Options.AllowReturns
	AmountOverflow          kernel.Reason = "amount_overflow"           // 10^14 or more in size
	AmountMismatch          kernel.Reason = "amount_mismatch"           // the amount given is not what the line comes to
	DiscountExceedsSubtotal kernel.Reason = "discount_exceeds_subtotal" // unless Options.ClampDiscount
	ZeroWeight              kernel.Reason = "zero_weight"               // an amount to be shared among shares of nothing
	NegativeWeight          kernel.Reason = "negative_weight"           //
	UnknownCurrency         kernel.Reason = "currency"                  // no code of ISO 4217
	TaxRateRange            kernel.Reason = "tax_rate"                  // below 0, 1,000 or more, or not 0 where nothing is taxed
	PercentSum              kernel.Reason = "percent_sum"               // percents that do not add up to 100
	InstallmentSign         kernel.Reason = "installment_sign"          // an instalment that is 0 or has the other sign than the total
	ZeroTotal               kernel.Reason = "zero_total"                //
	Overpayment             kernel.Reason = "overpayment"               // under RejectOverpayment
	ZeroPayment             kernel.Reason = "zero_payment"              //
	RefundExceedsReceived   kernel.Reason = "refund_exceeds_received"   //
	OverInvoice             kernel.Reason = "over_invoice"              // more than the contract comes to
	RedExceedsBlue          kernel.Reason = "red_exceeds_blue"          // more than is left of the invoice that it takes back
	FapiaoTolerance         kernel.Reason = "fapiao_tolerance"          // a line whose tax is not its net by its rate, to a cent
	ProbabilityRange        kernel.Reason = "probability_range"         // outside 0 to 100
)
