package org.tfminilm

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What a manifest has to say: the cases that Python's tests read as well. */
class ManifestRulesTest {
    private val known by lazy { JSONObject(Golden.file("manifest_cases.json").readText()) }

    private fun base(name: String) = JSONObject(known.getJSONObject("bases").getString(name))

    private fun rows(name: String) = known.getJSONArray(name).let { all ->
        (0 until all.length()).map { all.getJSONObject(it) }
    }

    private fun refusal(name: String, text: String): String =
        assertThrows(name, BundleException::class.java) { BundleManifest.parse(text) }.message

    private fun changed(case: JSONObject): JSONObject {
        val json = base(case.getString("base"))
        val path = case.getString("at").split("/")
        var place: Any = json
        for (name in path.dropLast(1)) {
            place = if (place is JSONArray) place.get(name.toInt()) else (place as JSONObject).get(name)
        }
        val value = when {
            case.has("set") -> case.get("set")
            case.has("long") -> "x".repeat(case.getInt("long"))
            case.has("many") -> JSONArray(List(case.getInt("many")) { "$it" })
            else -> null // Which removes it.
        }
        (place as JSONObject).put(path.last(), value)
        return json
    }

    @Test
    fun `good ones`() {
        val labels = known.getJSONObject("bases").keys().asSequence().map {
            BundleManifest.parse(base(it).toString()).labels
        }
        assertEquals(5, labels.count())
    }

    @Test
    fun `how sure it is`() {
        val calibration = BundleManifest.parse(base("classification").toString()).calibration!!
        assertEquals(1.5, calibration.temperature, 0.0)
        assertEquals(0.75, calibration.unsureBelow!!, 0.0)
        val always = base("classification")
        always.getJSONObject("calibration").put("unsure_below", JSONObject.NULL)
        assertNull(BundleManifest.parse(always.toString()).calibration!!.unsureBelow)
        // Bundles that were written before.
        always.remove("calibration")
        assertNull(BundleManifest.parse(always.toString()).calibration)

        val logits = floatArrayOf(0f, 1f) // Of these the second has 73 %.
        for ((least, isSure) in listOf(null to true, 0.7 to true, 0.75 to false)) {
            val found = Classification(listOf("a", "b"), softmax(logits), logits, least)
            assertEquals("$least", isSure, found.isSure)
        }
    }

    @Test
    fun `each case is refused in a sentence`() {
        for (case in rows("cases")) {
            val name = "${case.getString("base")}: ${case.getString("name")}"
            val message = refusal(name, changed(case).toString())
            assertTrue("$name: $message", case.getString("words") in message)
        }
    }

    @Test
    fun `what is no JSON`() {
        for (case in rows("no_json")) refusal(case.getString("name"), case.getString("text"))
        for (case in rows("replaced")) {
            // Its own way to write numbers is not the one of the cases.
            val good = known.getJSONObject("bases").getString("classification")
            val text = good.replace(case.getString("old").replace(": ", ":"), case.getString("new"))
            assertTrue(case.getString("name"), text != good)
            refusal(case.getString("name"), text)
        }
    }

    @Test
    fun `nested deep`() {
        for (depth in listOf(65, 100_000)) {
            for (text in listOf("[".repeat(depth), "{\"a\":".repeat(depth))) {
                assertTrue("nested deeper" in refusal("$depth", text))
            }
        }
        // In a text they are no levels.
        val json = base("encoder").put("description", "[".repeat(100) + "\\\"{")
        BundleManifest.parse(json.toString())
    }
}
