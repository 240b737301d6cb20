package check

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everything is every test of this package, for TestLong: a new one fails it until it is here.
var everything = map[string]func(t *testing.T){
	"TestAcknowledgedWritesSurviveTheProcess":          TestAcknowledgedWritesSurviveTheProcess,
	"TestAcknowledgedWritesSurviveTheServer":           TestAcknowledgedWritesSurviveTheServer,
	"TestAnyUseCasesInAnyOrderKeepTheInvariants":       TestAnyUseCasesInAnyOrderKeepTheInvariants,
	"TestAssignmentsOfAPoolAreKilledAndGoOn":           TestAssignmentsOfAPoolAreKilledAndGoOn,
	"TestClaimsOfTwoProcessesAreLinearizable":          TestClaimsOfTwoProcessesAreLinearizable,
	"TestEveryStatementMayFail":                        TestEveryStatementMayFail,
	"TestEveryStatementMayFailInsideAHostsTransaction": TestEveryStatementMayFailInsideAHostsTransaction,
	"TestEveryStatementOfEveryUseCaseMayFail":          TestEveryStatementOfEveryUseCaseMayFail,
	"TestHandOversAreKilledAndGoOn":                    TestHandOversAreKilledAndGoOn,
	"TestLimitsHoldUnderLoad":                          TestLimitsHoldUnderLoad,
	"TestMaskingCostsNoStatement":                      TestMaskingCostsNoStatement,
	"TestMigrateByTwoProcessesAtOnce":                  TestMigrateByTwoProcessesAtOnce,
	"TestMigrateKilledAtAnyInstantGoesOn":              TestMigrateKilledAtAnyInstantGoesOn,
	"TestMigrateWhenTheServerIsKilledGoesOn":           TestMigrateWhenTheServerIsKilledGoesOn,
	"TestModel":                                        TestModel,
	"TestNewcomersOfTwoProcessesAreSharedFairly":       TestNewcomersOfTwoProcessesAreSharedFairly,
	"TestNoTextIsMoreThanAText":                        TestNoTextIsMoreThanAText,
	"TestNoNumberIsMoreThanANumber":                    TestNoNumberIsMoreThanANumber,
	"TestNothingOfAnotherTenantIsToldOrChanged":        TestNothingOfAnotherTenantIsToldOrChanged,
	"TestNothingOutsideTheScopeIsToldOrChanged":        TestNothingOutsideTheScopeIsToldOrChanged,
	"TestOpenLimitHoldsUnderLoad":                      TestOpenLimitHoldsUnderLoad,
	"TestNorthwindOrdersComeToTheirTotal":              TestNorthwindOrdersComeToTheirTotal,
	"TestOnlineRetailOrdersComeToTheirTotal":           TestOnlineRetailOrdersComeToTheirTotal,
	"TestPipelineOfComputersComesToItsFile":            TestPipelineOfComputersComesToItsFile,
	"TestRefusalsLeaveAHostsTransactionUsable":         TestRefusalsLeaveAHostsTransactionUsable,
	"TestRulesSayTheSameEverywhere":                    TestRulesSayTheSameEverywhere,
	"TestSweepsAreKilledAndGoOn":                       TestSweepsAreKilledAndGoOn,
	"TestSweepsSurviveTheServer":                       TestSweepsSurviveTheServer,
	"TestTheCheckSeesANaiveClaim":                      TestTheCheckSeesANaiveClaim,
	"TestTheNetworkMayFailAtEveryStatement":            TestTheNetworkMayFailAtEveryStatement,
	"TestVerifyFindsWhatIsBroken":                      TestVerifyFindsWhatIsBroken,
	"TestVerifyLooksTwice":                             TestVerifyLooksTwice,
	"TestWarningsAreKilledAndGoOn":                     TestWarningsAreKilledAndGoOn,
	"TestWarningsMissNobody":                           TestWarningsMissNobody,
}

// Rounds of everything for as long as -check.for says, each with a seed of its own, which the round prints:
//
//	go test -timeout 90m -run Long . -check.long
func TestLong(t *testing.T) {
	if !*long {
		t.Skip("for hours: -check.long")
	}
	*long = false // many short rounds instead of one long one
	defer func() { *long = true }()
	first := *seed
	defer func() { *seed = first }()
	require.NoError(t, flag.Set("rapid.checks", "100"))
	end := time.Now().Add(*during)
	for round := 1; time.Now().Before(end) && !t.Failed(); round++ {
		*seed = first + uint64(round-1)
		require.NoError(t, flag.Set("rapid.seed", fmt.Sprint(*seed)))
		begin := time.Now()
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			t.Logf("repeat with -check.seed=%d", *seed)
			for name, test := range everything {
				t.Run(name, test)
			}
		})
		t.Logf("round %d took %v", round, time.Since(begin).Round(time.Second))
	}
}

// roundless is a test's name without the round that it runs in, so that its choices are those of the test alone.
func roundless(name string) string {
	if rest, ok := strings.CutPrefix(name, "TestLong/"); ok {
		_, name, _ = strings.Cut(rest, "/")
	}
	return name
}

func TestLongRunsEverything(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "TestLong") || f.Name.Name == "TestMain" {
				continue
			}
			require.Contains(t, everything, f.Name.Name, "add it to everything in long_test.go")
		}
	}
}
