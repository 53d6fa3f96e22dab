package org.tfminilm

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class BenchmarkTest {
    @Test
    fun `percentiles are NumPy's`() {
        val times = doubleArrayOf(1.0, 2.0, 4.0, 8.0)
        assertEquals(3.0, percentile(times, 0.5), 1e-12)
        assertEquals(7.4, percentile(times, 0.95), 1e-12)
        assertEquals(1.0, percentile(doubleArrayOf(1.0), 0.95), 1e-12)
    }

    @Test
    fun `measures every length`() {
        val found = measure(Golden.bundle("small/encoder"), threads = 1, repeats = 3)
        assertEquals(listOf(16, 48, 128), found.map { it.length })
        assertTrue(found.all { it.median in 0.0..it.p95 })
    }

    @Test
    fun `has ids for a table of a hundred rows`() {
        val bundle = Golden.bundle("multi_label")
        assertTrue(bundle.manifest.tokens < 120)
        assertEquals(2, measure(bundle, threads = 1, repeats = 1).size)
    }

    @Test
    fun `writes the rows of the command line's benchmark`() {
        val found = mapOf(2 to listOf(Latency(16, 1.5, 2.5, 1.0, 9)))
        val json = toJson("a", mapOf("device" to "b"), found)
        val row = """{"file": "a", "length": 16, "threads": 2,
            "median": 1.5, "p95": 2.5, "fastest": 1.0, "repeats": 9}"""
        val wanted = JSONObject("""{"machine": {"device": "b"}, "latency_ms": [$row]}""")
        assertEquals(wanted.toString(), json.toString())
    }
}
