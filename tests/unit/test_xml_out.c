#include "output/xml_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_document(void **state)
{
	struct xml_out xml;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	assert_non_null(stream);
	xml_out_begin_document(&xml, stream);
	xml_out_begin(&xml, "a");
	xml_out_attribute(&xml, "x", "<\"'&>\t\n\r");
	xml_out_attribute(&xml, "y", "");
	xml_out_comment(&xml, " c ");
	xml_out_begin(&xml, "b");
	xml_out_text(&xml, "<\"&>\t\r");
	xml_out_end(&xml);
	xml_out_begin(&xml, "empty");
	xml_out_end(&xml);
	xml_out_begin(&xml, "d");
	xml_out_begin(&xml, "e");
	xml_out_end(&xml);
	xml_out_end(&xml);
	xml_out_end(&xml);
	fclose(stream);
	assert_string_equal(text,
			    "<?xml version=\"1.0\"?>\n"
			    "<a x=\"&lt;&quot;'&amp;&gt;&#9;&#10;&#13;\" y=\"\">\n"
			    "\t<!-- c -->\n"
			    "\t<b>&lt;\"&amp;&gt;\t&#13;</b>\n"
			    "\t<empty/>\n"
			    "\t<d>\n"
			    "\t\t<e/>\n"
			    "\t</d>\n"
			    "</a>\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_document)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
