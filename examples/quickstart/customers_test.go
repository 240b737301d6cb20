package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestCustomersFromAFile(t *testing.T) {
	t.Run("bad rows are left out, with their line", func(t *testing.T) {
		file := write(t, "list.csv", "\ufeffCode,Name,Region,Industry,Level,Potential\n"+
			"A1,东风,310000,C35,a,100000\n"+
			"A2,,310000,C35,B,1\n"+ // line 3
			"A3,西风,310000\n"+
			"A4,南风,Shanghai,C35,B,1\n"+
			"A5,\"北\n风\",310000,C35,B,1\n"+ // lines 6 and 7
			"A1,春风,310000,C35,B,1\n"+
			"A6,夏风,310000,C35,E,1\n"+
			"A7,秋风,310000,C35,B,much\n"+
			"A8,冬\"风,310000,C35,B,1\n"+
			"A9,微风,,,,\n")
		out := printed(t, "-customers", file, "-days", "1")
		for _, line := range []string{
			"left out, line 3: name: empty", "left out, line 4: wrong number of fields", "left out, line 5: region: a region is a division code",
			"left out, line 6: name: the character U+000A is not accepted", "left out, line 8: code: duplicate", `left out, line 9: level: "E" is none of`,
			`left out, line 10: potential: "much" is no amount`, `left out, line 11: bare " in non-quoted-field`, "Acme Machinery: 2 customers",
		} {
			require.Contains(t, out, line)
		}
		require.Equal(t, 8, strings.Count(out, "left out"))
	})
	t.Run("the columns of a company list, gzipped", func(t *testing.T) {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write([]byte("full_name,province_code,city_code,city,district_code,industry_section,industry_code,industry\n" +
			"甲公司,330000,331000,台州市,331004,M,75,科技推广和应用服务业\n"))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		file, err := openCustomers(write(t, "list", packed.String()))
		require.NoError(t, err)
		defer file.Close()
		c, line, err := file.next()
		require.NoError(t, err)
		require.Equal(t, []any{2, "甲公司", "331004", "台州市", "M75"}, []any{line, c.Name, c.Region, c.City, c.Industry})
	})
	for name, c := range map[string]struct{ text, says string }{
		"empty":        {"", "the file is empty"},
		"no name":      {"code,city\nA,B\n", "the header has neither full_name nor name"},
		"only header":  {"name\n", "has a header and no rows"},
		"only bad":     {"name,level\nx,Z\n", "has no row that can become a customer; the first of them, line 2: level: \"Z\""},
		"broken gzip":  {"\x1f\x8bxxxx", "gzip"},
		"open quote":   {"name\n\"x\n", "has no row that can become a customer; the first of them, line 2: extraneous or missing"},
		"only a quote": {"\"", "the header cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := call(t, "-customers", write(t, "list.csv", c.text))
			require.Equal(t, 1, code)
			require.Contains(t, errs, c.says)
		})
	}
}

func TestTwentyThousandCustomers(t *testing.T) {
	data := os.Getenv("CRM_DATA")
	if data == "" {
		t.Skip("CRM_DATA is not set: it names the folder that has china-names/companies_composed.csv.gz")
	}
	args := []string{"-customers", filepath.Join(data, "china-names", "companies_composed.csv.gz"), "-days", "3"}
	first := printed(t, args...)
	require.Contains(t, first, "Acme Machinery: 20000 customers")
	require.NotContains(t, first, "left out")
	t.Run("the same on PostgreSQL", func(t *testing.T) { require.Equal(t, first, printed(t, append(args, "-db", postgresURL(t))...)) })
}
